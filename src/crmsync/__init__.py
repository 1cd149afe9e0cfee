"""Keeps what every CRM record says true to what you know about the person."""

__version__ = "0.1.0"
