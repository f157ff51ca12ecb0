"""Progressive delivery for models on Azure Machine Learning endpoints: the controller."""
