"""Commands that bring datasets in, cut and join them, and hand them on: fetch, import, merge, select, export."""
