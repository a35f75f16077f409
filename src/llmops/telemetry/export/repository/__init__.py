"""What the database knows of exports."""
