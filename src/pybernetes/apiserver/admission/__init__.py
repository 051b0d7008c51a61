"""What the server itself adds to objects, and refuses, before they are validated and stored.

`plugins` is the ordered list; `request` what a plugin gets.
"""
