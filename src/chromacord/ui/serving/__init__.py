"""The page's HTTP interface: routes, and checks of who may use them."""
