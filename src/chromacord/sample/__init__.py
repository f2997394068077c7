"""The sample clip of `chromacord demo`, made from two photographs in this folder.

astronaut.webp: Eileen Collins, by NASA; public domain (NASA Great Images, https://flic.kr/p/r9qvLn).
rocket.webp: a Falcon 9 on its launch pad at dusk, by SpaceX; public domain (SpaceX Photos, 16511594820 on Flickr).
Both are the pixels of the files that scikit-image ships, compressed without loss.
"""
