"""Alerts without another program: rules are looked at again and again, and what they find is sent to receivers."""
