"""What every engine needs: its interface, budgets of steps, scales and rounding of components."""
