"""The report as one HTML file, drawn of report.json alone."""
