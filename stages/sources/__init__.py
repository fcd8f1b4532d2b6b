"""How pictures get here: transfers over HTTPS, archives and folders read safely."""
