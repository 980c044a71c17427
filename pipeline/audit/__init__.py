"""Does a dataset follow from its equations? Rows integrated again, diagnostics measured again, repair."""
