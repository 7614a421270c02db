"""The battery: what each check judges, and the table of them."""
