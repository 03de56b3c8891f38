"""Problems that others have, in their own formats, as tasks."""
