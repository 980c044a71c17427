"""Where equations are not analytic, whichever method steps over it: pieces, branches, sides of surfaces."""
