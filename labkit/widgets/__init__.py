"""Widgets: a file each. They call tested functions of plain arguments and hold no logic of their own."""
