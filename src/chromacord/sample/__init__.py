"""The sample clip of `chromacord demo`, made from two photographs in this folder.

astronaut.webp: Eileen Collins, by NASA; public domain (NASA Great Images, https://flic.kr/p/r9qvLn).
coffee.webp: a coffee cup, by Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0.
Both are the pixels of the files that scikit-image ships, compressed without loss.
"""
