// Written by `drop`: the bundles in this app. A change here is refused, not lost.
package dropkit.stub

val BUNDLES: List<DroppedBundle> = listOf(
)
