"""What the commands are called and take; the work is done beside this folder."""
