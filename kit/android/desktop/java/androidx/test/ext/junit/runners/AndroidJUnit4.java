package androidx.test.ext.junit.runners;

import org.junit.runner.Description;
import org.junit.runner.Runner;
import org.junit.runner.manipulation.Filter;
import org.junit.runner.manipulation.Filterable;
import org.junit.runner.manipulation.NoTestsRemainException;
import org.junit.runner.manipulation.Sortable;
import org.junit.runner.manipulation.Sorter;
import org.junit.runner.notification.RunNotifier;
import org.junit.runners.BlockJUnit4ClassRunner;
import org.junit.runners.model.InitializationError;

/** Runs a test class as JUnit 4 does. */
public final class AndroidJUnit4 extends Runner implements Filterable, Sortable {
  private final BlockJUnit4ClassRunner delegate;

  public AndroidJUnit4(Class<?> klass) throws InitializationError {
    delegate = new BlockJUnit4ClassRunner(klass);
  }

  @Override
  public Description getDescription() {
    return delegate.getDescription();
  }

  @Override
  public void run(RunNotifier runNotifier) {
    delegate.run(runNotifier);
  }

  @Override
  public void filter(Filter filter) throws NoTestsRemainException {
    delegate.filter(filter);
  }

  @Override
  public void sort(Sorter sorter) {
    delegate.sort(sorter);
  }
}
