"""The pages: what people see, made from the calls that REST makes."""
