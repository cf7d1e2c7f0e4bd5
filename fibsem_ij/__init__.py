"""FIB-SEM volumes between Python and Fiji."""
__version__ = "0.1.0"
