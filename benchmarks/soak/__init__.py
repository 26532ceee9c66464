"""Many requests and many workers' lives, with the exporter scraped meanwhile: nothing may grow."""
