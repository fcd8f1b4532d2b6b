"""Pictures as files and arrays: decoding, the parts and folds of a data set, augmentation, every random draw."""
