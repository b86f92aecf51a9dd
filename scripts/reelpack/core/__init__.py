"""What everything stands on: errors, files, tables, names, results."""
