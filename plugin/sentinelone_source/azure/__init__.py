"""The Azure side: what only the commands that speak to Azure, or of it, use."""
