package com.example.digits

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

@RunWith(AndroidJUnit4::class)
class DigitsGoldenTest {
    @Test
    fun goldenVectorsHold() {
        Digits.create(InstrumentationRegistry.getInstrumentation().targetContext).use { digits ->
            val found = digits.selfTest()
            assertTrue("${found.worst} steps off", found.passed)
        }
    }
}
