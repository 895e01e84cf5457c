"""labkit: the helper package of Face Lab. Importing it imports nothing heavy; import the module you need."""

__version__ = "0.1.0"
