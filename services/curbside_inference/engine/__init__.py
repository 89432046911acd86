"""The embedded engine: text-generation-inference's wire on loopback, for machines without a GPU."""
