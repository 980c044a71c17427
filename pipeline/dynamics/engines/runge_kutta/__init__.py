"""SciPy's solvers, row by row, with an eye on what lies between their stages."""
