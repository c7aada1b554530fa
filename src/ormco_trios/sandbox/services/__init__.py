"""What each service does with a request: sign-in, Communicate, cases, OrmcoDigital."""
