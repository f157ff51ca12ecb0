"""Azure Machine Learning: endpoints by ARM, metrics by Azure Monitor, and scoring."""
