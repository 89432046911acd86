"""What became of the reports that came together: in one request, or in one archive."""
