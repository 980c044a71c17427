"""What a dataset is, in words: its card, its Croissant description, the documents of a folder."""
