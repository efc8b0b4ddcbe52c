"""All the work. Each room below has its own law; steps alone may open drivers and record."""
