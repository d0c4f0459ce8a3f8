"""What detectors with a model share: measures of features, their scaling, files of training rows, rows of the past."""
