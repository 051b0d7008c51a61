"""Code that all of the suite shares: how tests are spread over processes, limits, budgets, and checks for leftovers."""
