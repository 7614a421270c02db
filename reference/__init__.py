"""The same models with torch.nn, as a torch user would write them."""
