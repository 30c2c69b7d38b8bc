"""The static half: reads command files, never imports them, and knows no Django."""
