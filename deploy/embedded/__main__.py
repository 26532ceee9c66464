from deploy.embedded.cli import main

main()
