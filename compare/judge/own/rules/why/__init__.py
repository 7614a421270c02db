"""Why a rule differs: variations of formulae, and torch's own optimizers with other options."""
