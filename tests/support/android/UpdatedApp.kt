package com.example.digits

import com.example.digits.dropkit.UpdateRefusedException
import dropkit.desktop.DesktopContext
import java.io.File

/** One start of an app on a phone: it keeps the updates that it is given, and runs the newest. */
fun main(args: Array<String>) {
    val context = DesktopContext("dropkit.assets")
    val updates = Digits.updates(context)
    for (update in args) {
        try {
            println("kept: ${updates.keep(File(update))}")
        } catch (refused: UpdateRefusedException) {
            println("refused: ${refused.fault}: ${refused.message}")
        }
    }
    val source = updates.newest()
    println("problem: ${updates.problem?.message}")
    Digits.create(context, source = source).use { digits ->
        println("source: ${digits.source}")
        digits.attempts.forEach { println(it) }
    }
}
