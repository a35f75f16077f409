"""Tools for who builds on or works at the gateway; nothing here is part of serving. They use the kernel and no other
part of the package, so that what they prove does not rest on the code it is proved about.
"""
