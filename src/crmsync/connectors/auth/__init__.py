"""Who we are to a CRM: tokens, how they are had, kept and renewed."""
