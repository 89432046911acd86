"""The rules of datasets: cleaning, segmenting, mining, splitting. No transport, no database."""
