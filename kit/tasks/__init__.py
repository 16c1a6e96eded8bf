"""The commands. Each is one call into kit; `inv` in a checkout and the installed `kit` read this one collection."""

from invoke.collection import Collection

from kit.tasks.app import android, drop
from kit.tasks.build import build, freeze, matrix, verify
from kit.tasks.look import diff, emulate, inspect
from kit.tasks.machine import clean, doctor, image, lock, schema, toolchains
from kit.tasks.workshop import bench, check, fmt, test

namespace = Collection(
    build,
    emulate,
    freeze,
    verify,
    matrix,
    android,
    drop,
    toolchains,
    image,
    inspect,
    diff,
    doctor,
    lock,
    schema,
    test,
    check,
    fmt,
    bench,
    clean,
)
