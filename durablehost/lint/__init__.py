"""`durablehost lint`: reads the source of an app and reports what breaks the rules of Durable "
"Python."""
