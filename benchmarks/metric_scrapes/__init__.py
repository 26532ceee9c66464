"""What a scrape costs, before and after workers were recycled, beside other readers."""
