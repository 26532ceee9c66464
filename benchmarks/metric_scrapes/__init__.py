"""What a scrape costs beside the stock reader and its users', before and after workers were recycled."""
