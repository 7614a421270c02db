"""How a stranger's rule is called: its signature, what it is handed, what it keeps, and the form that moves weights."""
