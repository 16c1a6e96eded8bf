"""Where a bundle's call spends its time and makes its error, operator by operator."""
