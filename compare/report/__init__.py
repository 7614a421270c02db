"""One measurement, several readers: the console, JSON, pictures and the HTML page."""
