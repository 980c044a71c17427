"""Public archives, where datasets are published to be cited: the Hugging Face Hub and Zenodo."""
