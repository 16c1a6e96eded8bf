plugins {
    alias(libs.plugins.android.application)
}

android {
    namespace = "dropkit.stub"
    compileSdk = 36

    defaultConfig {
        applicationId = "dropkit.stub"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "1.0.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    androidTestImplementation(libs.androidx.test.ext.junit)
    androidTestImplementation(libs.androidx.test.runner)
}

// What the dropped bundles need: their runtime, and models that are stored as they are. `drop` writes this file.
apply(from = "dropkit.gradle")
